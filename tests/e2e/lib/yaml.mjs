// SPDX-License-Identifier: Apache-2.0
// Plain data as YAML in block style: for writing nightshift.yaml and .agent.yml, never for reading.

const isScalar = (v) => v === null || typeof v !== 'object';

// A JSON string is a YAML double-quoted scalar; plain words stay bare so that a person can read it.
function scalar(v) {
  if (typeof v !== 'string') return String(v);
  return /^[A-Za-z/][\w./:@-]*$/.test(v) &&
    !/^(true|false|yes|no|on|off|null)$/i.test(v) &&
    !v.endsWith(':')
    ? v
    : JSON.stringify(v);
}

export function yaml(value, indent = '') {
  const deeper = `${indent}  `;
  const lines = Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .map(([key, v]) => {
      const name = /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
      if (isScalar(v)) return `${indent}${name}: ${scalar(v)}\n`;
      if (Array.isArray(v)) return `${indent}${name}: [${v.map(scalar).join(', ')}]\n`;
      if (!Object.keys(v).length) return `${indent}${name}: {}\n`;
      return `${indent}${name}:\n${yaml(v, deeper)}`;
    });
  return lines.join('');
}
