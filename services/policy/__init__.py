"""Policy answers "may I contact this person, about this, on this channel, now?", with proof.

Reads    `reminder.due`, `reminder.cancelled`, `loan.changed`, `contact_point.changed`,
         `stop.events`, `delivery.receipt`, `borrower.replied`; over HTTP redeems, paid debts,
         stops, consents, preferences, notices, duties and activations.
Writes   `reminder.allowed`, `reminder.deferred`, `reminder.suppressed`.
Owns     the rules and which of them are active, stops, consents, preferences, notices,
         duties, the contact ledger, permits, and the decision log.
Pure     `decide` (decide.py) and the service's own checks around it (verdict.py).
"""
