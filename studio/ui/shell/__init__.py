"""The page around the tabs: header, navigation, theme, and what is sent to a page."""
