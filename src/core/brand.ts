declare const brand: unique symbol;

/**
 * A nominal type: a value of `Base` that only its own parser hands out, so that `seconds(90)` and `90` do not mix.
 */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: { readonly [K in Name]: true } };
