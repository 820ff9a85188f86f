// SPDX-License-Identifier: Apache-2.0
// When the forge has asked for peace, and who spoke all the same. What was under way when it asked, and
// what the asker has not read yet, is forgiven.
const GRACE_MS = 1000;

export class Bans {
  constructor(now = () => Date.now()) {
    this.now = now;
    this.rows = new Map(); // scope -> {from, until}
    this.broken = [];
    this.asked = 0;
  }

  static scope(who) {
    if (who.kind === 'installation') return `installation ${who.installation.id}`;
    return who.kind === 'user' ? `user ${who.user.login}` : who.kind;
  }

  ask(who, ms) {
    const from = this.now();
    this.asked++;
    this.rows.set(Bans.scope(who), { from: from + GRACE_MS, until: from + ms });
  }

  look({ who, method, path }) {
    const scope = Bans.scope(who);
    const row = this.rows.get(scope);
    const now = this.now();
    if (row && now > row.from && now < row.until)
      this.broken.push({ scope, method, path, early_ms: row.until - now });
  }
}
