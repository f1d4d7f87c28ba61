"""The site that is attacked, one for all attacks: none of them may do it any harm."""

from collections.abc import Iterator

import pytest

from tests.attacks.site import Site, build


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = build(tmp_path_factory.mktemp("site"))
    yield made
    made.cluster.close()
