"""The twelve kinds of rule, one file a kind; what exists is the table RULES."""

from services.policy.rule import Kind
from services.policy.rules.consent_required import ConsentRequired, consent_required
from services.policy.rules.contact_point_rule import ContactPointRule, contact_point_rule
from services.policy.rules.contact_window import ContactWindow, contact_window
from services.policy.rules.content_must_include import ContentMustInclude, content_must_include
from services.policy.rules.content_must_not import ContentMustNot, content_must_not
from services.policy.rules.cooldown_after import CooldownAfter, cooldown_after
from services.policy.rules.frequency_cap import FrequencyCap, frequency_cap
from services.policy.rules.obligation import Obligation, obligation
from services.policy.rules.recipient_limit import RecipientLimit, recipient_limit
from services.policy.rules.retention import Retention, retention
from services.policy.rules.sequence_gate import SequenceGate, sequence_gate
from services.policy.rules.stop_when import StopWhen, stop_when

RULES: dict[str, Kind] = {
    "contact_window": Kind(ContactWindow, contact_window),
    "frequency_cap": Kind(FrequencyCap, frequency_cap),
    "cooldown_after": Kind(CooldownAfter, cooldown_after),
    "stop_when": Kind(StopWhen, stop_when, judges_unless=True),
    "consent_required": Kind(ConsentRequired, consent_required),
    "recipient_limit": Kind(RecipientLimit, recipient_limit),
    "contact_point_rule": Kind(ContactPointRule, contact_point_rule),
    "content_must_include": Kind(ContentMustInclude, content_must_include),
    "content_must_not": Kind(ContentMustNot, content_must_not),
    "sequence_gate": Kind(SequenceGate, sequence_gate),
    "obligation": Kind(Obligation, obligation),
    "retention": Kind(Retention, retention),
}
