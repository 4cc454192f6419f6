"""What a serving process does beside answering."""

import gc

from gateway.cli.serve import settle


async def test_what_stays_for_good_is_not_collected_again() -> None:
    """Once everything is loaded, no garbage collection goes through it while somebody waits."""
    before = gc.get_freeze_count()
    await settle()

    assert gc.get_freeze_count() > before
