/** The name beside one that is taken: `film.tar.gz` → `film (2).tar.gz`. Folders and the dot of hidden files stay what they are. */
export function beside(name: string, serial: number): string {
  const slash = name.lastIndexOf('/') + 1
  const [folder, file] = [name.slice(0, slash), name.slice(slash)]
  const end = /(?<=.)(\.tar)?\.[^.\s]{1,10}$/.exec(file)
  const stem = end ? file.slice(0, end.index) : file
  return `${folder}${stem} (${serial})${end?.[0] ?? ''}`
}
