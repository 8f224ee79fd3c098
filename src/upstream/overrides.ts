/** Some frameworks take a POST for what one of these says: a method that the enforcer has not judged. Lower case. */
export const methodOverrides = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const;

/**
 * Some backends (IIS with URL Rewrite; CakePHP, Symfony, Zend and others of some age) serve what one of these says in the
 * place of the path that the enforcer has judged. Lower case.
 */
export const pathOverrides = ['x-original-url', 'x-rewrite-url'] as const;
