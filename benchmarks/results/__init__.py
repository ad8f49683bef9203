"""The paper's tables and figures beside what was run here."""
