from tests.make import make_document


def test_the_full_number_joins_number_and_notation():
    """Số, ký hiệu is number, slash, notation, nothing stripped."""
    assert make_document(code_number="007", code_notation="TN-VP/A").code == "007/TN-VP/A"
