// SPDX-License-Identifier: Apache-2.0
// What every test asks of a finished task, in one place: one pull request, one comment, the log.
import assert from 'node:assert/strict';

export const TASK_MS = 120_000;
const MARKER = /^<!-- nightshift:task=(\d+):[0-9a-f]{8} -->/;

export const ask = (forge, repo, title = 'add() subtracts', labels = []) =>
  forge.do('issues', { repo, title, body: 'add 2 3 should say 5.', as: 'alice', labels });

export const label = (forge, repo, number) =>
  forge.do('label', { repo, number, label: 'agent', as: 'alice' });

// An issue, then the label, as a person does it. -> the issue's number.
export async function labelled(forge, repo, title) {
  const { number } = await ask(forge, repo, title);
  await label(forge, repo, number);
  return number;
}

export const sticky = (issue, bot) =>
  issue.comments.filter((c) => c.user === bot && MARKER.test(c.body));

// Eyes are of no task, and nothing waits for them: they may come after its end. -> the comments of an
// issue that have them, as soon as one has.
export const eyed = (forge, repo, number) =>
  forge.until(`eyes at ${repo}#${number}`, ({ repos }) => {
    const { issues } = repos.find((r) => r.full_name === repo);
    const { comments } = issues.find((i) => i.number === number);
    const found = comments.filter((c) => c.reactions.some((r) => r.content === 'eyes'));
    return found.length && found;
  });

// The task's comment has said its last word: the headline is no longer that of work under way.
const isLast = (comment) => Boolean(comment) && !/^(⏳|🕒)/m.test(comment.body);

// Waits until the issue carries one of the labels that say that a task is over, and its comment says
// so too (edits come at most every ten seconds; `told: false` does not wait for that).
export function settled(forge, repo, number, ms = TASK_MS, { told = true } = {}) {
  return forge.until(
    `${repo}#${number} is over`,
    (state) => {
      const found = state.repos.find((r) => r.full_name === repo);
      const issue = found.issues.find((i) => i.number === number);
      const over = issue.labels.find((l) => /^agent:(done|failed|needs-human)$/.test(l));
      const isIdle = !issue.labels.includes('agent:running');
      const isTold = !told || isLast(sticky(issue, state.bot)[0]);
      return over && isIdle && isTold && { over, issue, bot: state.bot, repo: found };
    },
    ms,
  );
}

// The pull requests whose text says that they close the issue.
export const pullsFor = (repo, number) =>
  repo.issues.filter((i) => i.pull && new RegExp(`Closes #${number}\\b`).test(i.body));

// The shape of success. -> {pull, comment}
export async function assertDone(forge, repoName, number, ms) {
  const { over, issue, bot, repo } = await settled(forge, repoName, number, ms);
  assert.equal(over, 'agent:done', sticky(issue, bot)[0]?.body);
  const pulls = pullsFor(repo, number);
  assert.equal(pulls.length, 1, 'one pull request');
  const comments = sticky(issue, bot);
  assert.equal(comments.length, 1, 'one comment');
  assert.match(pulls[0].body, /Sandbox tier/);
  return { pull: pulls[0], comment: comments[0], issue, repo, bot };
}
