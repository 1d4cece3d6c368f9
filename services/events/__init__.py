"""The wire: frozen typed events, their CloudEvents codec, the one table of topics."""
