"""A code, exchanged by your own backend. Python 3.9 or newer, no packages.

    ONETAP_URL=https://127.0.0.1:8443 ONETAP_SERVICE_TOKEN=… python3 python.py CODE OPENID

SSL_CERT_FILE names a CA file where Python does not know the server's (the sandbox's).
"""
import json
import os
import sys
import time
import urllib.error
import urllib.request


def exchange(code: str, openid: str, tries: int = 3) -> dict:
    """The phone object, or the problem that says why there is none (its `retry` says what to do)."""
    request = urllib.request.Request(
        os.environ["ONETAP_URL"] + "/phone/consume",
        data=json.dumps({"code": code, "openid": openid}).encode(),
        headers={
            "Authorization": "Bearer " + os.environ["ONETAP_SERVICE_TOKEN"],
            "Content-Type": "application/json",
        },
    )
    for attempt in range(1, tries + 1):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return {"ok": True, **json.load(answer)}
        except urllib.error.HTTPError as refused:
            problem = json.load(refused)
            if problem.get("retry") != "same_code" or attempt == tries:
                return {"ok": False, **problem}
            time.sleep(int(refused.headers.get("Retry-After", "1")))
        except OSError:
            # Nothing is lost with the line: the same code again is answered from the ledger.
            if attempt == tries:
                raise
            time.sleep(1)
    raise AssertionError("unreachable")


if __name__ == "__main__":
    result = exchange(*sys.argv[1:3])
    print(json.dumps(result, ensure_ascii=False))
    sys.exit(0 if result["ok"] else 1)
