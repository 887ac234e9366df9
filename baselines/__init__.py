"""(docstring to come)"""

if __name__ != "nas_fusion.baselines":
    raise ImportError("import this package as nas_fusion.baselines, not as `baselines`")
