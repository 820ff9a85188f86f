// SPDX-License-Identifier: Apache-2.0
// A wire in a test's hand: what a program says to a server goes through here, and can be kept, cut
// off, or delivered when it is too late. Over TCP or a socket in the file system.
import { chmodSync } from 'node:fs';
import { once } from 'node:events';
import net from 'node:net';

export class Relay {
  // from, to: what net.Server.listen and net.connect take. see(bytes, wire) is asked of everything
  // that the program says; true: it is kept until the relay heals.
  static async start(from, to, see = false) {
    const relay = new Relay();
    Object.assign(relay, { to, see, wires: new Set(), isCut: false });
    relay.server = net.createServer({ allowHalfOpen: true }, (up) => relay.#open(up));
    relay.server.listen(from);
    await once(relay.server, 'listening');
    if (from.path) chmodSync(from.path, 0o777); // roles are other users
    relay.address = relay.server.address();
    return relay;
  }

  #open(up) {
    const wire = { up, said: '', kept: [], isKept: this.isCut };
    const isHeld = () => wire.isKept || this.isCut;
    this.wires.add(wire);
    this.#connect(wire);
    up.on('data', (bytes) => {
      if (this.see) wire.isKept ||= this.see(bytes, wire);
      if (isHeld()) wire.kept.push(['down', bytes]);
      else wire.down.write(bytes);
    });
    // Whoever closes is not heard while the wire is cut: a server would not answer him any more.
    up.on('end', () => isHeld() || wire.isLate || wire.down.end());
    this.#watch(wire, up);
  }

  #connect(wire) {
    const down = net.connect({ ...this.to, allowHalfOpen: true });
    wire.down = down;
    down.on('data', (bytes) => {
      wire.said += bytes.toString('latin1');
      if (wire.isKept || this.isCut) wire.kept.push(['up', bytes]);
      else wire.up.write(bytes);
    });
    down.on('end', () => wire.up.end());
    this.#watch(wire, down);
  }

  #watch(wire, end) {
    end.on('error', () => {});
    end.on('close', () => {
      if (end !== wire.up && end !== wire.down) return; // another has taken its place
      const isOver = wire.up.destroyed && wire.down.destroyed && wire.kept.length === 0;
      if (isOver) this.wires.delete(wire);
      else if (!wire.isKept && !wire.isLate && !this.isCut) Relay.reset(wire);
    });
  }

  // Nothing comes through any more, and nobody is told.
  cut() {
    this.isCut = true;
  }

  // What was kept is delivered. A server that did not want to wait for it gets it all the same, on
  // another connection: as a packet comes that was long on its way.
  heal() {
    this.isCut = false;
    for (const wire of this.wires) {
      wire.isKept = false;
      const kept = wire.kept.splice(0);
      wire.isLate = kept.some(([to]) => to === 'down'); // answered, whether or not anybody listens
      const isGone = wire.down.destroyed || wire.down.readableEnded;
      if (isGone && wire.isLate) {
        const old = wire.down;
        this.#connect(wire);
        old.destroy();
      }
      for (const [to, bytes] of kept) {
        if (!wire[to].destroyed) wire[to].write(bytes);
      }
    }
  }

  // The connection is gone on both sides at once.
  static reset(wire) {
    wire.up.destroy();
    wire.down.destroy();
  }

  stop() {
    for (const wire of this.wires) Relay.reset(wire);
    return new Promise((done) => this.server.close(done));
  }
}
