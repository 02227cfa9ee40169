/** The context that the menu runs in. Phones reach it by the extension alone. */
export const MENU_CONTEXT = 'sallyport';
/** The extension of the menu in that context. */
export const MENU_EXTENSION = 'menu';
/** The context by which users are rung back: what they enrolled is dialled as one of the phones would. */
export const RING_CONTEXT = 'sallyport-ring';
