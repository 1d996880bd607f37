"""Asks the server of this machine for its page: healthcheck.py URL. Exit status 0: it answered; 1: it did not."""

import ssl
import sys
import urllib.request

TIMEOUT_S = 8.0


def fault(url: str) -> str | None:
    """Return what is wrong with the page at `url`, None when it came.

    The certificate is not verified: it is the server's own, and the question never leaves the machine.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with direct.open(url, timeout=TIMEOUT_S) as answer:
            body = answer.read()
    except OSError as error:
        return f"{url}: {error}"
    return None if b"<title>BreastAI" in body else f"{url}: this is not BreastAI's page"


if __name__ == "__main__":
    found = fault(sys.argv[1])
    print(found or "ok", flush=True)
    sys.exit(found is not None)
