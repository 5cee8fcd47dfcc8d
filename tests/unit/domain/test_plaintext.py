"""Vietnamese without its marks."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.plaintext import without_marks


def test_every_vietnamese_letter_keeps_its_base():
    """Composed and decomposed text alike."""
    assert without_marks("Đơn vị gửi không đúng với mã đã đăng ký") == "Don vi gui khong dung voi ma da dang ky"
    assert without_marks("ế\u0065\u0302\u0301") == "ee"


@given(st.text())
def test_the_result_is_ascii(text):
    """Whatever comes in; ASCII itself passes unchanged."""
    assert without_marks(text).isascii()
    if text.isascii():
        assert without_marks(text) == text
