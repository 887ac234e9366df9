"""The space in which hand-made models are points: what stands in every block's place is searched, too."""

if __name__ != "nas_fusion.search_spaces.wide":
    raise ImportError("import this package as nas_fusion.search_spaces.wide, not as `wide`")
