/** Certificates that end within this time are warned about: time enough for whoever has to renew them. */
const soonMs = 30 * 24 * 60 * 60 * 1000;

/** Still good, but not for long. */
export const endsSoon = (end: number, now: number): boolean => now <= end && end - now < soonMs;

export const instant = (milliseconds: number): string => new Date(milliseconds).toISOString();
