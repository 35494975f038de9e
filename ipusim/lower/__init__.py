"""From Graph and Plan to Program."""
