from tools.asyncapi import documents


def test_the_contract_documents_are_what_the_code_says() -> None:
    for path, text in documents():
        assert path.read_text() == text, "run `make reference`"
