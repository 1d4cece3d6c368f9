"""The scheduler: which reminders a loan needs, and when each one's hour has come.

Reads     loan.events, reminder.deferred, reminder.suppressed, delivery.receipt,
          contact_point.changed; the lender's HTTP door; `dunwell import`
Pure      plan (a loan's reminders), replan (what a change of facts does to them)
Writes    loan.changed, reminder.due, reminder.cancelled; policy's paid door
Owns      borrowers, loans, installments, payments, cadences, reminders and their history
"""
