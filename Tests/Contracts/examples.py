"""The vendors' own checkers on good and bad examples, and on the fixtures that our tests are fed with.

All run in this one process: the vendors' models take many seconds to build.
"""

import contextlib
import hashlib
import hmac
import io
import pathlib
import runpy
import sys

HERE = pathlib.Path(__file__).resolve().parent
VERIFY = HERE / "verify"
EXAMPLES = VERIFY / "examples"
FIXTURES = HERE.parent / "Fixtures"
VALID, INVALID = 0, 1


def run(script, options, given):
    """Runs a checker as its command line would; returns its exit code and what it says."""
    said = io.StringIO()
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = [script, *options], io.TextIOWrapper(io.BytesIO(given))
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(str(VERIFY / script), run_name="__main__")
        return 0, said.getvalue()
    except SystemExit as end:
        return end.code or 0, said.getvalue()
    finally:
        sys.argv, sys.stdin = before


def examples():
    """What is checked: the exit code that it must have, the checker, its options, the file."""
    for expected, script, options, name in [
        (VALID, "vapi_call.py", [], "vapi_call.good"),
        (INVALID, "vapi_call.py", [], "vapi_call.bad"),
        (VALID, "vapi_call.py", ["--response"], "vapi_call.response"),
        (VALID, "vapi_webhook.py", [], "vapi_webhook.eocr.good"),
        (INVALID, "vapi_webhook.py", [], "vapi_webhook.eocr.bad"),
        (VALID, "vapi_webhook.py", [], "vapi_webhook.status.good"),
        (VALID, "vapi_webhook.py", [], "vapi_webhook.tools.good"),
        (INVALID, "vapi_webhook.py", ["--sdk-strict"], "vapi_webhook.tools.good"),
        (VALID, "vapi_webhook.py", ["--response", "tool-calls"], "vapi_reply.tools.good"),
        (INVALID, "vapi_webhook.py", ["--response", "tool-calls"], "vapi_reply.tools.bad"),
        (VALID, "whatsapp_update.py", [], "wa.good"),
        (VALID, "whatsapp_update.py", [], "wa.username_only"),
        (INVALID, "whatsapp_update.py", [], "wa.bad"),
    ]:
        yield expected, script, options, EXAMPLES / f"{name}.json"
    signed = EXAMPLES / "wa.good.json"
    signature = "sha256=" + hmac.new(b"s3cret", signed.read_bytes(), hashlib.sha256).hexdigest()
    yield VALID, "whatsapp_update.py", ["--secret", "s3cret", "--signature", signature], signed
    yield INVALID, "whatsapp_update.py", ["--secret", "other", "--signature", signature], signed
    # The fixtures of today's shape; the others are old or broken on purpose.
    for name in ("end-of-call-report", "status-update"):
        yield VALID, "vapi_webhook.py", [], FIXTURES / "vapi" / f"{name}.json"
    yield VALID, "vapi_call.py", ["--response"], FIXTURES / "vapi" / "call-ended.json"
    for path in sorted((FIXTURES / "whatsapp").glob("*.json")):
        yield VALID, "whatsapp_update.py", [], path


def main():
    sys.path.insert(0, str(VERIFY))
    checked = [(*example, example[3].read_bytes()) for example in examples()]
    for outcome, expected in (("missed", VALID), ("completed", INVALID)):
        line = f"customer-did-not-answer\t{outcome}\n".encode()
        checked.append((expected, "vapi_ended_reason.py", [], outcome, line))
    wrong = 0
    for expected, script, options, source, given in checked:
        code, said = run(script, options, given)
        name = getattr(source, "name", source)
        print("ok  " if code == expected else "BAD ", f"{code} {script} {' '.join(options)[:40]} {name}")
        if code != expected:
            wrong += 1
            print(f"     {expected} was expected\n{said}")
    print(f"{len(checked)} examples, {wrong} not as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
