"""What the tests' browser notices of a page: requests to other hosts, exceptions, breaches of the page's policy."""

from tests import browser

ELSEWHERE = "http://127.0.0.1:9/picture.png"
"""Nothing listens there."""


def test_it_notices_other_hosts_exceptions_and_breaches() -> None:
    policy = "<meta http-equiv='Content-Security-Policy' content=\"style-src 'none'\">"
    body = f"<img src='{ELSEWHERE}'><style>p {{ color: red }}</style><script>throw new Error('spoilt')</script>"
    with browser.page() as (page, seen):
        page.set_content(f"<head>{policy}</head>{body}")
        page.wait_for_load_state("networkidle")
        assert seen.elsewhere("http://127.0.0.1:8500") == [ELSEWHERE]
        assert not seen.elsewhere("http://127.0.0.1:9/")
        assert any("spoilt" in each for each in seen.complaints)
        assert any("Content Security Policy" in each for each in seen.complaints)
