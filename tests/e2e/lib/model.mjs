// SPDX-License-Identifier: Apache-2.0
// The scripted model server as the bot's upstream. It refuses every key but the real one, so an
// agent with the box's dummy key gets an answer only through the gateway.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program } from './process.mjs';

const MAIN = fileURLToPath(new URL('../model/scripted-model.mjs', import.meta.url));
const SCENARIOS = fileURLToPath(new URL('../model/scenarios/', import.meta.url));

export class Model {
  // vars: what stands for ${name} in the scenarios.
  static async start({ dir, key, scenarios, vars = {} }) {
    const model = new Model();
    model.logFile = join(dir, 'model.jsonl');
    const files = scenarios.map((s) => (s.includes('/') ? s : join(SCENARIOS, s)));
    const given = Object.entries(vars).flatMap(([name, value]) => ['--var', `${name}=${value}`]);
    const args = [MAIN, '--key', key, '--log', model.logFile, ...given, ...files];
    model.program = new Program('model', process.execPath, args);
    [, model.url] = await model.program.line(/^listening (http:\S+)/);
    return model;
  }

  requests() {
    if (!existsSync(this.logFile)) return [];
    return readFileSync(this.logFile, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((l) => JSON.parse(l));
  }

  // -> {requests, missed, errors}: whether every turn of the script was played.
  async stop() {
    await this.program.stop();
    return JSON.parse(this.program.lines.at(-1));
  }
}
