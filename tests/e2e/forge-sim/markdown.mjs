// SPDX-License-Identifier: Apache-2.0
// Just enough Markdown for a person to read an issue in a browser. Everything is escaped first;
// of HTML only <details> and <summary> come back, and comments vanish.

export const escape = (text) =>
  String(text ?? '')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');

function inline(text) {
  const codes = [];
  const held = escape(text).replace(/(`+)(.+?)\1/g, (_, ticks, code) => {
    codes.push(`<code>${code}</code>`);
    return `\u0000${codes.length - 1}\u0000`;
  });
  return held
    .replace(/\[([^\]]+)\]\((https?:[^\s)]+|\/[^\s)]*)\)/g, '<a href="$2">$1</a>')
    .replace(/(^|[\s(])(https?:\/\/[^\s<)]+)/g, '$1<a href="$2">$2</a>')
    .replace(/\*\*([^*]+)\*\*/g, '<b>$1</b>')
    .replace(/\u0000(\d+)\u0000/g, (_, n) => codes[n]);
}

const cells = (row) =>
  row
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((c) => inline(c.trim()));

function table(rows) {
  const [head, , ...body] = rows.map(cells);
  const line = (tag, row) => `<tr>${row.map((c) => `<${tag}>${c}</${tag}>`).join('')}</tr>`;
  return `<table>${line('th', head)}${body.map((r) => line('td', r)).join('')}</table>`;
}

function htmlLine(line) {
  const allowed = /^\s*<\/?(details|summary)( open)?>\s*/;
  if (!allowed.test(line)) return undefined;
  return line
    .replace(/<(\/?)(details|summary)( open)?>/g, '\u0001$1$2$3\u0002')
    .split(/([\u0001\u0002])/)
    .reduce((out, part, i, all) => {
      if (part === '\u0001' || part === '\u0002') return out;
      return out + (all[i - 1] === '\u0001' ? `<${part}>` : inline(part));
    }, '');
}

export function markdown(text) {
  const lines = String(text ?? '')
    .replace(/\r/g, '')
    .replace(/<!--[\s\S]*?-->/g, '')
    .split('\n');
  const out = [];
  let paragraph = [];
  const flush = () => {
    if (paragraph.length) out.push(`<p>${paragraph.map(inline).join('<br>')}</p>`);
    paragraph = [];
  };
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const fence = /^ {0,3}(`{3,}|~{3,})/.exec(line);
    const html = htmlLine(line);
    if (fence) {
      flush();
      const code = [],
        close = new RegExp(`^ {0,3}${fence[1][0]}{${fence[1].length},}\\s*$`);
      for (i++; i < lines.length && !close.test(lines[i]); i++) code.push(lines[i]);
      out.push(`<pre>${escape(code.join('\n'))}</pre>`);
    } else if (html !== undefined) {
      flush();
      out.push(html);
    } else if (/^#{1,6} /.test(line)) {
      flush();
      const level = /^#+/.exec(line)[0].length;
      out.push(`<h${level}>${inline(line.slice(level + 1))}</h${level}>`);
    } else if (/^\s*\|.*\|/.test(line) && /^\s*\|[\s:|-]+\|/.test(lines[i + 1] ?? '')) {
      flush();
      const rows = [];
      while (i < lines.length && /^\s*\|/.test(lines[i])) rows.push(lines[i++]);
      i--;
      out.push(table(rows));
    } else if (/^\s*[-*] /.test(line)) {
      flush();
      const items = [];
      while (i < lines.length && /^\s*[-*] /.test(lines[i]))
        items.push(lines[i++].replace(/^\s*[-*] /, ''));
      i--;
      out.push(`<ul>${items.map((t) => `<li>${inline(t)}</li>`).join('')}</ul>`);
    } else if (/^> ?/.test(line)) {
      flush();
      out.push(`<blockquote>${inline(line.replace(/^> ?/, ''))}</blockquote>`);
    } else if (line.trim() === '') {
      flush();
    } else {
      paragraph.push(line);
    }
  }
  flush();
  return out.join('\n');
}
