/** Some frameworks take a POST for what one of these says: a method that the enforcer has not judged. Lower case. */
export const methodOverrides = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const;

/**
 * Some backends serve what one of these says in the place of the path that the enforcer has judged (IIS with URL Rewrite;
 * CakePHP, Symfony, Zend and others of some age), or take it off that path: `SCRIPT_NAME` is gunicorn's, from any peer
 * before 22 and later from loopback and unix sockets; `X-Script-Name` that of a piece of code which pgAdmin and many Flask
 * applications have copied. Lower case.
 */
export const pathOverrides = [
  'x-original-url',
  'x-rewrite-url',
  'script_name',
  'script-name',
  'x-script-name',
] as const;
