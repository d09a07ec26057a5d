"""What the sync relies on, asked of the sandbox or of the real systems that `.env.contract` names."""
