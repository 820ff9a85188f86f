# SPDX-License-Identifier: Apache-2.0
"""python3-gitlab before forge-sim: what a client of other people's makes of our GitLab.

Usage: client.py URL TOKEN. Prints what it saw as JSON.
"""
import json
import sys

import gitlab

gl = gitlab.Gitlab(sys.argv[1], private_token=sys.argv[2], retry_transient_errors=False)
gl.auth()
project = gl.projects.get("acme/tools/widget")
out = {"me": gl.user.username, "project": project.path_with_namespace, "version": gl.version()[0]}

issue = project.issues.create({"title": "Crash", "description": "b", "labels": "bug"})
issue.labels.append("agent")
issue.save()
out["labels"] = sorted(project.issues.get(issue.iid).labels)
wish = {"labels": ["agent"], "state": "opened"}
out["listed"] = [i.iid for i in project.issues.list(iterator=True, **wish)]
out["events"] = [[e.action, e.label["name"]] for e in issue.resourcelabelevents.list(get_all=True)]

note = issue.notes.create({"body": "first"})
note.body = "second"
note.save()
out["note"] = [n.body for n in issue.notes.list(get_all=True)]
note.awardemojis.create({"name": "eyes"})
out["emoji"] = [e.name for e in note.awardemojis.list(get_all=True)]
try:
    note.awardemojis.create({"name": "eyes"})
except gitlab.exceptions.GitlabCreateError as e:
    out["emoji_again"] = e.response_code
internal = issue.notes.create({"body": "for few", "internal": True})
out["internal"] = internal.internal
for n in range(5):
    issue.notes.create({"body": f"note {n}"})
out["paged"] = len(list(issue.notes.list(iterator=True, per_page=3)))

wish = {"source_branch": "topic", "target_branch": "main", "title": "Draft: More"}
mr = project.mergerequests.create({**wish, "assignee_id": gl.user.id})
out["mr"] = [mr.iid, mr.draft, mr.source_branch, mr.assignee["username"], mr.state]
try:
    project.mergerequests.create(wish)
except gitlab.exceptions.GitlabCreateError as e:
    out["mr_again"] = e.response_code
place = {"position_type": "text", "new_path": "more.txt", "new_line": 1, **mr.diff_refs}
talk = mr.discussions.create({"body": "here", "position": place})
talk.notes.create({"body": "answer"})
out["talk"] = [n["body"] for n in mr.discussions.get(talk.id).attributes["notes"]]
out["line"] = talk.attributes["notes"][0]["position"]["new_line"]
sent = project.upload("log.txt", filedata="hello\n")
mr.description = sent["markdown"]
mr.save()
out["upload"] = sent["markdown"].split("(")[0]

commit = mr.sha
status = {"state": "success", "name": "nightshift", "target_url": "http://127.0.0.1/t/1"}
gl.http_post(f"/projects/{project.id}/statuses/{commit}", post_data=status)
out["status"] = [s["status"] for s in gl.http_list(
    f"/projects/{project.id}/repository/commits/{commit}/statuses", get_all=True)]
out["level"] = project.members_all.get(gl.user.id).access_level
try:
    project.members_all.get(4711)
except gitlab.exceptions.GitlabGetError as e:
    out["stranger"] = e.response_code
out["said"] = len(list(project.events.list(action="commented", iterator=True)))
out["hook"] = [h.alert_status for h in project.hooks.list(get_all=True)]
out["scopes"] = gl.http_get("/personal_access_tokens/self")["scopes"]
mr.state_event = "close"
mr.save()
out["closed"] = project.mergerequests.get(mr.iid).state
json.dump(out, sys.stdout)
