from tools.asyncapi import documents


def test_the_committed_contract_documents_match_the_code() -> None:
    for path, text in documents():
        assert path.read_text() == text, "run `make reference`"
