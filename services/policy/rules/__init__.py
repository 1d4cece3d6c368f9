"""The twelve kinds of rule, one file a kind; what exists is the table RULES."""

from services.policy.rule import Kind
from services.policy.rules.consent_required import ConsentRequired, consent_required
from services.policy.rules.contact_point_rule import (
    ContactPointRule,
    contact_point_rule,
    not_denied,
)
from services.policy.rules.contact_window import ContactWindow, contact_window, no_wish
from services.policy.rules.content_must_include import (
    ContentMustInclude,
    content_must_include,
    no_content,
)
from services.policy.rules.content_must_not import ContentMustNot, content_must_not
from services.policy.rules.cooldown_after import CooldownAfter, cooldown_after, no_event
from services.policy.rules.frequency_cap import FrequencyCap, frequency_cap, nothing_counted
from services.policy.rules.obligation import Obligation, no_duty, obligation
from services.policy.rules.recipient_limit import RecipientLimit, among_allowed, recipient_limit
from services.policy.rules.retention import Retention, no_contact_matter, retention
from services.policy.rules.sequence_gate import SequenceGate, sequence_gate
from services.policy.rules.stop_when import StopWhen, no_stop, stop_when

RULES: dict[str, Kind] = {
    "contact_window": Kind(ContactWindow, contact_window, silent=no_wish),
    "frequency_cap": Kind(FrequencyCap, frequency_cap, silent=nothing_counted),
    "cooldown_after": Kind(CooldownAfter, cooldown_after, silent=no_event),
    "stop_when": Kind(StopWhen, stop_when, judges_unless=True, silent=no_stop),
    "consent_required": Kind(ConsentRequired, consent_required),
    "recipient_limit": Kind(RecipientLimit, recipient_limit, silent=among_allowed),
    "contact_point_rule": Kind(ContactPointRule, contact_point_rule, silent=not_denied),
    "content_must_include": Kind(ContentMustInclude, content_must_include, silent=no_content),
    "content_must_not": Kind(ContentMustNot, content_must_not, silent=no_content),
    "sequence_gate": Kind(SequenceGate, sequence_gate),
    "obligation": Kind(Obligation, obligation, silent=no_duty),
    "retention": Kind(Retention, retention, silent=no_contact_matter),
}
