import string

import pytest

from gateway.domain.errors import SENTENCES, ErrorCode, GatewayError


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_speaks_both_languages_of_the_same_facts(code):
    """Each code has an English and a Vietnamese sentence with the same placeholders."""
    sentence = SENTENCES[code]
    names = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (sentence.en, sentence.vi)]
    assert names[0] == names[1]
    assert sentence.en != sentence.vi
    error = GatewayError(code, **dict.fromkeys(names[0], "x"))
    assert "{" not in error.english + error.vietnamese


def test_a_missing_fact_is_a_bug_at_once():
    """A sentence cannot be left half filled."""
    with pytest.raises(KeyError):
        GatewayError(ErrorCode.DOCUMENT_UNKNOWN)
