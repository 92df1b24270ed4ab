using System;
using System.Collections.Generic;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(Leaks.Plugin))]

namespace Leaks;

/// <summary>Its handler on a static event keeps its load context alive.</summary>
public sealed class Plugin : IModelPlugin
{
    public Plugin() => AppDomain.CurrentDomain.ProcessExit += AtTheEnd;
    public IReadOnlyList<ModelArchitecture> Architectures => [];
    private static void AtTheEnd(object? sender, EventArgs e) { }
}
