"""dcsim: what to buy, rent or change for AI training and serving, and what it will deliver."""
