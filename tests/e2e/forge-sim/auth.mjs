// SPDX-License-Identifier: Apache-2.0
// Who is asking: a person's token, a GitHub App (JWT) or one of its installation tokens.
//
// GitHub's rules are kept because the bot must live with them: a JWT's times are checked, a token
// is narrowed to repositories and permissions, ends after an hour and is unknown elsewhere (404).
import { createHash, createHmac, createVerify, randomBytes } from 'node:crypto';
import { HttpError } from './router.mjs';
import { can } from './state.mjs';

const HOUR_MS = 3600_000;
const b64url = (data) => Buffer.from(data).toString('base64url');
export const fingerprint = (secret) =>
  createHash('sha256').update(secret).digest('hex').slice(0, 8);

function jwtParts(token) {
  const [head, body, signature, more] = token.split('.');
  if (!signature || more !== undefined) return undefined;
  try {
    const parse = (s) => JSON.parse(Buffer.from(s, 'base64url').toString('utf8'));
    return { head: parse(head), body: parse(body), signed: `${head}.${body}`, signature };
  } catch {
    return undefined;
  }
}

export class Auth {
  constructor({ state, dialect, app }) {
    this.state = state;
    this.dialect = dialect;
    this.app = app; // {id, publicKey, slug, permissions} or undefined
    this.tokens = new Map(); // installation tokens
    this.installations = new Map(); // owner login -> {id, owner}
    this.jwtsSeen = [];
  }

  installation(owner) {
    const key = owner.login.toLowerCase();
    const known = this.installations.get(key);
    if (known) return known;
    const made = {
      id: this.state.id('installation'),
      owner,
      created: this.state.stamp(),
      suspended: false,
    };
    this.installations.set(key, made);
    return made;
  }

  installationById(id) {
    return [...this.installations.values()].find((i) => i.id === Number(id));
  }

  // Authorization of an API request -> who, never an exception: a wrong credential is a `bad` who.
  who(header) {
    if (!header) return { kind: 'none' };
    const [scheme, ...rest] = header.split(' ');
    const value = rest.join(' ').trim();
    const name = scheme.toLowerCase();
    if (name === 'basic') return this.basic(value);
    if (name !== 'bearer' && name !== 'token') return { kind: 'bad', why: `scheme ${scheme}` };
    if (this.app && name === 'bearer' && jwtParts(value) && !this.tokens.has(value))
      return this.#jwt(value);
    return this.byToken(value);
  }

  basic(encoded) {
    const text = Buffer.from(encoded, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    const name = text.slice(0, colon),
      password = text.slice(colon + 1);
    const who = this.byToken(password);
    if (who.kind === 'bad' && this.dialect === 'gitea') return this.byToken(name);
    if (who.kind === 'installation' && name !== 'x-access-token') {
      return { kind: 'bad', why: 'user name for an installation token' };
    }
    return who;
  }

  byToken(token) {
    const narrow = this.tokens.get(token);
    if (narrow) {
      if (narrow.revoked || this.state.now() >= narrow.expires)
        return { kind: 'bad', why: 'expired' };
      return { kind: 'installation', ...narrow, user: this.bot, mark: fingerprint(token) };
    }
    for (const user of this.state.users.values()) {
      if (user.token && user.token === token)
        return { kind: 'user', user, mark: fingerprint(token) };
    }
    return { kind: 'bad', why: 'unknown token' };
  }

  #jwt(token) {
    const { head, body, signed, signature } = jwtParts(token);
    const bad = (why) => ({ kind: 'bad', why });
    if (head.alg !== 'RS256') return bad('A JSON web token could not be decoded');
    const ok = createVerify('RSA-SHA256')
      .update(signed)
      .verify(this.app.publicKey, signature, 'base64url');
    if (!ok) return bad('A JSON web token could not be decoded');
    this.jwtsSeen.push(body);
    if (String(body.iss) !== String(this.app.id))
      return bad("'Issuer' claim ('iss') must be an Integer");
    const now = Math.floor(this.state.now() / 1000);
    if (!Number.isInteger(body.iat) || body.iat > now) {
      return bad(
        "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
      );
    }
    if (!Number.isInteger(body.exp) || body.exp <= now) {
      return bad(
        "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
      );
    }
    if (body.exp > now + 600)
      return bad("'Expiration time' claim ('exp') is too far in the future");
    return { kind: 'app', user: this.bot, mark: fingerprint(token) };
  }

  // What the log says of a credential: never the credential.
  describe(who) {
    const repos = who.repoIds ? ` repos ${[...who.repoIds].join(',')}` : '';
    const login = who.kind === 'user' ? ` ${who.user.login}` : '';
    return `${who.kind}${login}${repos}${who.why ? ` (${who.why})` : ''}${who.mark ? ` #${who.mark}` : ''}`;
  }

  mint(installation, { repoIds, permissions }) {
    const now = this.state.now();
    const payload = b64url(
      JSON.stringify({
        sub: installation.id,
        exp: Math.floor(now / 1000) + 3600,
        jti: randomBytes(300).toString('hex'),
      }),
    );
    const body = `${b64url('{"alg":"HS256"}')}.${payload}`;
    const mac = createHmac('sha256', randomBytes(32)).update(body).digest('base64url');
    const token = `ghs_${this.app.id}_${body}.${mac}`;
    this.tokens.set(token, {
      installation,
      repoIds,
      permissions,
      expires: now + HOUR_MS,
      minted: now,
    });
    return { token, expires: new Date(now + HOUR_MS).toISOString().replace(/\.\d+Z$/, 'Z') };
  }

  expireAll() {
    for (const narrow of this.tokens.values()) narrow.expires = 0;
    return this.tokens.size;
  }

  // The level of `who` in a repository, with the narrowing of its token.
  level(who, repo) {
    if (who.kind === 'installation') {
      const here =
        who.installation.owner === repo.owner && (!who.repoIds || who.repoIds.has(repo.id));
      return here ? 'admin' : 'none';
    }
    return this.state.level(repo, who.user);
  }

  // needs: 'issues:write' or 'issues|pull_requests:write'; a person's token needs the level only.
  allow(who, repo, needs) {
    const level = this.level(who, repo);
    if (!can(level, 'read')) throw new HttpError(404, 'Not Found');
    if (!needs) return;
    const [names, access] = needs.split(':');
    if (who.kind === 'installation') {
      const held = names.split('|').some((n) => {
        const have = who.permissions[n];
        return access === 'read' ? have : have === 'write';
      });
      if (!held) throw new HttpError(403, 'Resource not accessible by integration');
      return;
    }
    if (access === 'read') return;
    if (who.kind === 'none') throw new HttpError(401, 'Requires authentication');
    if (!can(level, 'write')) throw new HttpError(403, 'Must have write access to Repository.');
  }
}
