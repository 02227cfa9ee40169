/**
 * The drawing of plots without a library: elements as text, one look for all. The picture brings its own ground, so that it
 * can be read on a light page and on a dark one.
 */

export const WIDTH = 760;
/** Of the title and below the last line. */
export const TOP = 48;
const FONT = 13;

/** Series keep their colour by place; each has enough contrast to the ground for text. */
const LIGHT = ['#0969da', '#b34700', '#00704f', '#9b3f7a', '#59636e'];
const DARK = ['#58a6ff', '#ff9e57', '#4cc38a', '#e08bc2', '#9ea7b3'];
const GROUND = { light: '#ffffff', dark: '#0d1117' };
const INK = { light: '#1f2328', dark: '#f0f6fc' };
const SOFT = { light: '#59636e', dark: '#9ea7b3' };
const GRID = { light: '#d8dee4', dark: '#30363d' };

/** The class of a series: `fill`, `line` or `dots`. */
export function ofSeries(kind, index) {
  return `${kind}${index % LIGHT.length}`;
}

/** An element; attributes that are undefined are left out, numbers are rounded to a tenth. */
export function element(name, attributes, ...content) {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escaped(rounded(value))}"`)
    .join('');
  return content.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${content.join('')}</${name}>`;
}

export function text(x, y, words, { className = 'ink', anchor, size } = {}) {
  return element('text', { x, y, class: className, 'text-anchor': anchor, 'font-size': size }, escaped(words));
}

export function line(x1, y1, x2, y2, className) {
  return element('line', { x1, y1, x2, y2, class: className });
}

/** A picture with its title; `description` is what somebody hears who does not see it. */
export function picture({ title, description, height, content }) {
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${WIDTH} ${height}`,
      width: WIDTH,
      height,
      role: 'img',
      'font-family': 'system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif',
      'font-size': FONT,
    },
    `\n<title>${escaped(title)}</title>\n<desc>${escaped(description)}</desc>\n<style>${style()}</style>\n`,
    `${element('rect', { class: 'ground', width: WIDTH, height, rx: 8 })}\n`,
    `${text(20, 28, title, { className: 'ink title', size: 16 })}\n`,
    content.join('\n'),
    '\n',
  )}\n`;
}

/** About how wide a text is, rather too much: fonts differ. */
export function widthOf(words, { size = FONT, isStrong = false } = {}) {
  return words.length * size * (isStrong ? 0.66 : 0.58);
}

/** A text in lines of about so many characters, broken between words. */
export function wrapped(words, most) {
  const lines = [];
  for (const word of words.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`.trim();
    if (lines.length > 0 && longer.length <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function style() {
  const rules = (mode, colors) =>
    [
      `.ground{fill:${GROUND[mode]}}.ink{fill:${INK[mode]}}.soft{fill:${SOFT[mode]}}`,
      `.grid{stroke:${GRID[mode]}}.halo{stroke:${GROUND[mode]}}`,
      ...colors.map((color, i) => `.fill${i}{fill:${color}}.line${i},.dots${i}{stroke:${color};fill:none}`),
    ].join('');
  const shapes = LIGHT.map(
    (_, i) => `.line${i}{stroke-width:2}.dots${i}{stroke-width:4;stroke-linecap:round;opacity:.4}`,
  );
  return `${rules('light', LIGHT)}${shapes.join('')}.title,.strong{font-weight:600}.halo{paint-order:stroke;stroke-width:4px}@media (prefers-color-scheme:dark){${rules('dark', DARK)}}`;
}

function rounded(value) {
  return typeof value === 'number' ? String(Number(value.toFixed(1))) : String(value);
}

function escaped(words) {
  const names = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return words.replace(/[&<>"]/g, (found) => names[found]);
}
