"""Commands about one model: what makes it, scores with it, measures it, carries it elsewhere and updates it."""
