"""Hands messages to providers, once, and only with policy's permit in hand.

reads    reminder.allowed, reminder.cancelled, address.events; HTTP: contact points, callbacks,
         inbound messages, unsubscribes; policy's redeem door
writes   delivery.attempted, delivery.receipt, contact_point.changed, borrower.replied;
         requests to Twilio, FCM and a mail server
owns     addresses (nobody else has them), templates, attempts, observations of providers
"""
