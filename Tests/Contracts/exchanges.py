"""The vendors' own checkers on what our code really said and was told: one rehearsal, every request and answer.

Calls that we order go through vapi_call.py, what the sandbox tells us and what our assistant's tools answer through
vapi_webhook.py (see verify/README.md).
"""

import collections
import contextlib
import io
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "verify"), str(HERE.parent / "EndToEnd")]

import vapi_call  # noqa: E402
import vapi_webhook  # noqa: E402
from stack import Stack, eventually  # noqa: E402

ENVIRONMENT = {"SANDBOX_SPEED": "20", "SANDBOX_RECORD": "1", "TIMER_PERIODS": "call-orchestrator=1,call-reconciler=3600"}
# Every ending that the sandbox knows, and fields that Vapi takes up to 40 characters.
LEADS = [f"+9198765{digit:04d}{digit},Asha Rao,asha{digit}@example.in" for digit in range(10)] + [
    f"+919876600000,{'Ananya Venkataraman ' * 4}iyer,{'ananya.venkataraman.' * 3}iyer@example.in",
    "+919876600001,李小龍 🇮🇳 Zoë,",
    "+919876600008,,",
]


def rehearse():
    """Calls all leads and returns what was exchanged, oldest first."""
    with Stack("--no-demo", environment=ENVIRONMENT) as stack:
        assert stack.upload("\n".join(["number,name,email", *LEADS])).json()["rows_added"] == len(LEADS)
        uuids = [lead["lead_uuid"] for lead in stack.leads().values()]
        assert stack.post("/api/leads/bulk-call", {"lead_uuids": uuids}).json()["errors"] == []
        busy = ("pending", "initiated", "answered")
        eventually(lambda: not any(lead["call_status"] in busy for lead in stack.leads().values()), 120)
        lines = (stack.state / "sandbox" / "exchanges.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines] + list(use_tools(stack))


def use_tools(stack):
    """Uses the assistant's tools in calls that took place, as Vapi does for an assistant that has them."""
    secret = re.search("VAPI_WEBHOOK_SECRET=(.+)", (stack.state / "env").read_text())[1]
    message = json.loads((HERE / "verify/examples/vapi_webhook.tools.good.json").read_text())
    calls = [call for lead in stack.leads().values() for call in stack.details(lead)["call_history"]]
    wishes = [
        ("book_callback", {"when_iso": "2099-01-05T12:00:00+05:30"}), ("book_callback", {"callback_time": "tomorrow at 3 PM"}),
        ("book_callback", {}), ("opt_out", {"words": "Never call\nme again."}), ("sing", {}),
    ]
    for call, (name, arguments) in zip(calls, wishes):
        message["message"]["call"]["id"] = call["vapi_call_id"]
        tool = message["message"]["toolCallList"][0]
        tool["function"] = {"name": name, "arguments": arguments}
        sent = json.dumps(message)
        headers = {"X-Vapi-Secret": secret, "Content-Type": "application/json"}
        answer = stack.post("/webhook/vapi", sent.encode(), headers)
        yield {"exchange": "webhook", "sent": sent, "status": answer.status, "answer": answer.body.decode()}


def checks(exchange):
    """What is to be checked of an exchange: a name, the checker, its options, the text."""
    if exchange["exchange"] == "call":
        yield "our order", vapi_call, [], exchange["sent"]
        if exchange["status"] == 201:
            yield "its answer", vapi_call, ["--response"], exchange["answer"]
        return
    kind = json.loads(exchange["sent"])["message"]["type"]
    yield kind, vapi_webhook, [], exchange["sent"]
    if kind == "tool-calls":
        yield "our tools", vapi_webhook, ["--response", "tool-calls"], exchange["answer"]


def passes(checker, options, text):
    """Runs a checker; returns whether it is content, and what it says."""
    said = io.StringIO()
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = [checker.__name__, *options], io.StringIO(text)
    try:
        with contextlib.redirect_stdout(said):
            return checker.main() == 0, said.getvalue()
    finally:
        sys.argv, sys.stdin = before


def main():
    seen, broken = collections.Counter(), 0
    for exchange in rehearse():
        if exchange["exchange"] == "webhook" and exchange["status"] != 200:
            broken += 1
            print(f"{exchange['sent'][:200]} was answered with {exchange['status']} {exchange['answer'][:200]}")
        for name, checker, options, text in checks(exchange):
            seen[name] += 1
            is_good, said = passes(checker, options, text)
            if not is_good:
                broken += 1
                print(f"{name}: {text[:300]}\n{said}")
    print(", ".join(f"{count} × {name}" for name, count in sorted(seen.items())), f"– {broken} of them broken")
    expected = {"our order", "its answer", "status-update", "end-of-call-report", "tool-calls", "our tools"}
    if not seen.keys() >= expected:
        print(f"None of {expected - seen.keys()} was seen")
    return 1 if broken or not seen.keys() >= expected else 0


if __name__ == "__main__":
    sys.exit(main())
