"""The link of an e-mail: it asks, it acts, and it speaks the reader's language."""

from uuid import uuid4

from services.events.words import Channel
from services.notifier.prepare import unsubscribe_signature
from services.notifier.render import load_templates
from services.notifier.unsubscribe import spoken
from tests.notifier.test_inbound import PUBLIC
from tests.notifier.world import IDENTITY, World, allowed


async def test_an_unsubscribe_link_asks_by_get_and_acts_by_post(running: World) -> None:
    borrower = await running.addresses("ref-1", email="someone@example.com")
    event = allowed(borrower, Channel.EMAIL)
    await running.publish(event)
    row = await running.until_state(event.reminder_id, "accepted")
    signature = unsubscribe_signature(IDENTITY.encode(), row["attempt_id"])
    path = f"/v1/unsubscribe/{row['attempt_id']}/{signature}"
    assert f"<{PUBLIC}{path}>".encode() in running.mail.mails[0]
    async with running.session.get(running.url + path) as response:
        assert response.status == 200
    assert running.policy.stops == []
    async with running.session.post(running.url + path) as response:
        assert response.status == 200
    (stop,) = running.policy.stops
    assert (stop["channels"], stop["borrower_id"]) == (["email"], str(borrower))
    wrong = path[:-1] + ("0" if path[-1] != "0" else "1")
    for method in ("GET", "POST"):
        async with running.session.request(method, running.url + wrong) as response:
            assert response.status == 404
            assert "nothing was changed" in await response.text()


async def test_a_link_whose_message_is_no_longer_known_promises_nothing(running: World) -> None:
    attempt_id = uuid4()
    path = f"/v1/unsubscribe/{attempt_id}/{unsubscribe_signature(IDENTITY.encode(), attempt_id)}"
    async with running.session.post(running.url + path) as response:
        assert response.status == 404
        assert "nothing was changed" in await response.text()


async def test_an_unsubscribe_page_speaks_the_readers_language(running: World) -> None:
    attempt_id = uuid4()
    path = f"/v1/unsubscribe/{attempt_id}/{unsubscribe_signature(IDENTITY.encode(), attempt_id)}"
    for language, words in spoken().items():
        asking = {"Accept-Language": f"fr, {language};q=0.9, en;q=0.5"}
        async with running.session.get(running.url + path, headers=asking) as response:
            page = await response.text()
        assert f'<html lang="{language}">' in page
        assert words.ask in page


def test_an_unsubscribe_page_speaks_every_language_of_the_templates() -> None:
    assert {locale for _, _, locale in load_templates().compiled} == set(spoken())
