import pytest

from gateway.domain.agency import CodeForm, form_of, is_hub, same_code


@pytest.mark.parametrize(
    ("code", "form"),
    [
        ("000.00.15.H98", CodeForm.OLD),
        ("H98", CodeForm.NEW),
        ("H98.02.0A", CodeForm.NEW),
        ("H98." + "1" * 32, CodeForm.OTHER),
        ("0123456789", CodeForm.BUSINESS),
        ("0123456789-001", CodeForm.BUSINESS),
        ("012345678901", CodeForm.BUSINESS),
        ("vxp.saas.03", CodeForm.OTHER),
        ("28.22.H98", CodeForm.OTHER),
    ],
)
def test_forms_of_codes(code, form):
    """Each published form is recognised; anything else is OTHER, never an error (edXML 5)."""
    assert form_of(code) is form


@pytest.mark.parametrize(
    ("code", "hub"),
    [("00.99.W00", True), ("W00", True), ("W00.01", True), ("H98.W0", False), ("H98.02", False), ("HW00", False)],
)
def test_hubs(code, hub):
    """Axis centres carry W and two digits as a group of their own at either end (edXML 5.1)."""
    assert is_hub(code) is hub


def test_codes_are_compared_without_case_and_outer_space():
    """Nothing deeper is guessed: a dropped zero is another code."""
    assert same_code(" h98.02", "H98.02 ")
    assert not same_code("H98.2", "H98.02")
