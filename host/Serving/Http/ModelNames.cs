using ModelZoo.Contracts;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Models;

namespace ModelZoo.Host.Serving.Http;

/// <summary>
/// Models as clients name them: <c>family/architecture.tag</c>; the name that the manifest gives a model (<c>"name": "codec"</c>), for what takes no slash, as KServe's services and clients do not; or <c>family--architecture.tag</c>, which every
/// model has.
/// </summary>
internal sealed class ModelNames(LiveManifest manifest)
{
    private const string Slash = "--";

    /// <summary>The model of a name.</summary>
    /// <exception cref="ModelZooException">It is no name of a model.</exception>
    public ModelRequest Find(string name)
    {
        if (name.Contains('/', StringComparison.Ordinal)) return new(ModelId.Parse(name));
        foreach (var (id, entry) in manifest.Current.Models)
        {
            if (entry.Name == name) return new(id);
        }

        return new(name.IndexOf(Slash, StringComparison.Ordinal) is > 0 and var at ? ModelId.Parse($"{name[..at]}/{name[(at + Slash.Length)..]}")
            : throw new ModelZooException(ErrorCodes.ModelUnknown, "That is not the name of a model.") { Expected = "family/architecture.tag, family--architecture.tag, or a name that plugins.json gives one", Found = $"'{name}'" });
    }
}
