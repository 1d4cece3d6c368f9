-- Until now these were channels; a borrower with two numbers may have barred one of them only.
COMMENT ON COLUMN reminders.barred IS 'contact points that were refused at hand-off, for good';
