"""The world outside, for demos, tests and trials: Twilio, FCM and SMTP that lie on demand.

reads    HTTP requests as Twilio's Messages API and FCM HTTP v1 take them, SMTP mail;
         optionally the notifier's attempt row and the business clock (read only)
writes   a JSONL history of all it saw and did: the oracle for whoever checks the promises;
         signed status callbacks and inbound messages, over HTTP
owns     nothing anybody else depends on: no service imports this package

The history holds addresses and message texts in the clear, because it is what the handsets saw.
It is for invented people only.
"""
