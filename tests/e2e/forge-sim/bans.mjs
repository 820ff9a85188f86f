// SPDX-License-Identifier: Apache-2.0
// When the forge has asked for peace, and who spoke all the same. Whoever has not read that yet is
// forgiven, however long he takes: that it was read, the test says. So is what was under way then.
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
    this.asked++;
    this.rows.set(Bans.scope(who), { from: Infinity, until: this.now() + ms });
  }

  heard() {
    for (const row of this.rows.values()) row.from = this.now() + GRACE_MS;
  }

  look({ who, method, path }) {
    const scope = Bans.scope(who);
    const row = this.rows.get(scope);
    const now = this.now();
    if (row && now > row.from && now < row.until)
      this.broken.push({ scope, method, path, early_ms: row.until - now });
  }
}
