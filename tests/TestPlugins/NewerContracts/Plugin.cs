using System.Collections.Generic;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(NewerContracts.Plugin))]

namespace NewerContracts;

/// <summary>Built against contracts that this host does not have.</summary>
public sealed class Plugin : IModelPlugin
{
    public IReadOnlyList<ModelArchitecture> Architectures => [];
    public string Later => ModelId.FromTheFuture("x") + new Telepathy().ToString();
}
