// Calls an ext_authz server the way any Go program would, and prints what came of each call, a line of JSON each.
// It knows nothing of Envoy's protos: messages are bytes.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

type bytesCodec struct{}

func (bytesCodec) Name() string                  { return "proto" }
func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte{}, data...)
	return nil
}

const checkMethod = "/envoy.service.auth.v3.Authorization/Check"

type outcome struct {
	Call    string `json:"call"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Answer  string `json:"answer"`
}

func call(connection *grpc.ClientConn, method string, message []byte, timeout time.Duration, options ...grpc.CallOption) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var answer []byte
	err := connection.Invoke(ctx, method, &message, &answer, append(options, grpc.ForceCodec(bytesCodec{}))...)
	return answer, err
}

func main() {
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	out := json.NewEncoder(os.Stdout)
	tell := func(name string, answer string, err error) {
		state := status.Convert(err)
		out.Encode(outcome{name, state.Code().String(), state.Message(), answer})
	}
	unhex := func(text string) []byte {
		message, err := hex.DecodeString(text)
		if err != nil {
			panic(err)
		}
		return message
	}
	good, refused, slow := unhex(os.Args[2]), unhex(os.Args[3]), unhex(os.Args[4])
	patient := 20 * time.Second

	unary := func(name string, method string, message []byte, timeout time.Duration, options ...grpc.CallOption) {
		answer, err := call(connection, method, message, timeout, options...)
		tell(name, hex.EncodeToString(answer), err)
	}
	unary("admitted", checkMethod, good, patient)
	unary("refused", checkMethod, refused, patient)
	unary("slow", checkMethod, slow, 100*time.Millisecond)
	unary("compressed", checkMethod, good, patient, grpc.UseCompressor(gzip.Name))
	unary("oversized", checkMethod, make([]byte, 100_000), patient)
	unary("garbage", checkMethod, []byte{0xff, 0xff}, patient)
	unary("unknown method", "/envoy.service.auth.v3.Authorization/Uncheck", good, patient)

	// More at a time than a connection takes.
	var group sync.WaitGroup
	var lock sync.Mutex
	counts := map[string]int{}
	for range 1000 {
		group.Add(1)
		go func() {
			defer group.Done()
			answer, err := call(connection, checkMethod, good, patient)
			lock.Lock()
			defer lock.Unlock()
			counts[status.Code(err).String()+" "+hex.EncodeToString(answer)]++
		}()
	}
	group.Wait()
	for answer, count := range counts {
		tell("a thousand", fmt.Sprint(count, " ", answer), nil)
	}

	client := health.NewHealthClient(connection)
	ctx := context.Background()
	for _, service := range []string{"", "envoy.service.auth.v3.Authorization", "nobody"} {
		answer, err := client.Check(ctx, &health.HealthCheckRequest{Service: service})
		tell("health "+service, answer.GetStatus().String(), err)
	}
	watch, err := client.Watch(ctx, &health.HealthCheckRequest{})
	if err != nil {
		panic(err)
	}
	for {
		answer, err := watch.Recv()
		tell("watch", answer.GetStatus().String(), err)
		if err != nil {
			break
		}
	}
	// The server has gone, and whoever runs us has started it again.
	bufio.NewReader(os.Stdin).ReadString('\n')
	unary("again", checkMethod, good, patient, grpc.WaitForReady(true))
}
