using System.Collections.Generic;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(UsesLibrary.Plugin))]

namespace UsesLibrary;

/// <summary>Needs an assembly of its own, of which others may bring another version.</summary>
public sealed class Plugin : IModelPlugin
{
    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
        [new(new ModelCard { Id = "test/library", Paper = Library.Greeting.Text, Authors = [], Inputs = [], Outputs = [] }, (_, _) => default)];
}
