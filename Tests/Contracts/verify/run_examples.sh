#!/bin/bash
# Runs every verify script on a good and a bad example. PY = python of a venv with the pinned packages (README.md).
cd "$(dirname "$0")" || exit 1
PY=${PY:-python3}; pass=0; fail=0; E=examples
t() { # expected-rc file cmd...
  local want=$1 in=$2; shift 2
  out=$("$PY" "$@" <"$in" 2>&1); rc=$?
  if [ "$want" = "$rc" ]; then pass=$((pass+1)); echo "ok   rc=$rc $* < $in :: $(head -n1 <<<"$out" | cut -c1-110)"
  else fail=$((fail+1)); echo "BAD  rc=$rc want=$want $* < $in"; echo "$out" | sed 's/^/     /'; fi; }
t 0 $E/vapi_call.good.json vapi_call.py
t 1 $E/vapi_call.bad.json vapi_call.py
t 0 $E/vapi_call.response.json vapi_call.py --response
t 0 $E/vapi_webhook.eocr.good.json vapi_webhook.py
t 1 $E/vapi_webhook.eocr.bad.json vapi_webhook.py
t 0 $E/vapi_webhook.status.good.json vapi_webhook.py
t 0 $E/vapi_webhook.tools.good.json vapi_webhook.py
t 1 $E/vapi_webhook.tools.good.json vapi_webhook.py --sdk-strict
t 0 $E/vapi_reply.tools.good.json vapi_webhook.py --response tool-calls
t 1 $E/vapi_reply.tools.bad.json vapi_webhook.py --response tool-calls
t 0 /dev/null vapi_ended_reason.py --check
printf 'customer-did-not-answer\tmissed\n' >${TMPDIR:-/tmp}/er.$$.good; t 0 ${TMPDIR:-/tmp}/er.$$.good vapi_ended_reason.py
printf 'customer-did-not-answer\tcompleted\n' >${TMPDIR:-/tmp}/er.$$.bad; t 1 ${TMPDIR:-/tmp}/er.$$.bad vapi_ended_reason.py
rm -f ${TMPDIR:-/tmp}/er.$$.*
t 0 $E/wa.good.json whatsapp_update.py
t 0 $E/wa.username_only.json whatsapp_update.py
t 1 $E/wa.bad.json whatsapp_update.py
sig=sha256=$(openssl dgst -sha256 -hmac s3cret -hex <$E/wa.good.json | sed 's/.*= //')
t 0 $E/wa.good.json whatsapp_update.py --secret s3cret --signature "$sig"
t 1 $E/wa.good.json whatsapp_update.py --secret other --signature "$sig"
# The fixtures of today's shape; the others are old or broken on purpose.
for f in end-of-call-report status-update; do t 0 ../../Fixtures/vapi/$f.json vapi_webhook.py; done
t 0 ../../Fixtures/vapi/call-ended.json vapi_call.py --response
for f in ../../Fixtures/whatsapp/*.json; do t 0 "$f" whatsapp_update.py; done
echo "passed $pass failed $fail"; [ $fail = 0 ]
