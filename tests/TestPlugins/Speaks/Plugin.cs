using System.Collections.Generic;
using System.Globalization;
using System.Resources;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(Speaks.Plugin))]
[assembly: NeutralResourcesLanguage("en")]

namespace Speaks;

/// <summary>Has its words in satellite assemblies.</summary>
public sealed class Plugin : IModelPlugin
{
    private static string? Hello(string culture) => new ResourceManager("Speaks.Words", typeof(Plugin).Assembly).GetString("hello", new CultureInfo(culture));

    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
        [new(new ModelCard { Id = "test/speaks", Paper = $"{Hello("en")}, {Hello("fr")}, {Hello("de")}", Authors = [], Inputs = [], Outputs = [] }, (_, _) => default)];
}
