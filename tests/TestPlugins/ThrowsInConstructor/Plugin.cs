using System;
using System.Collections.Generic;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(ThrowsInConstructor.Plugin))]

namespace ThrowsInConstructor;

public sealed class Plugin : IModelPlugin
{
    public Plugin() => throw new InvalidOperationException("the licence server does not answer");
    public IReadOnlyList<ModelArchitecture> Architectures => [];
}
