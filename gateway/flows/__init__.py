"""What happens to a document, step by step, in both directions; imports ports, domain and observability only."""
