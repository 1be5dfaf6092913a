"""Drawing code that the pages share; the only place beside them that knows Streamlit."""
